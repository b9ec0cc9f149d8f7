/**
 * The MC146818's time registers as a calendar: between seconds since 1970 and the bytes a guest sees, in BCD or binary, on
 * a 12- or 24-hour clock. Bytes are a guest's: any value decodes to some finite time.
 *
 * [MC146818A] Motorola MC146818A, ADI1026, table 2 "Time, calendar and alarm data modes"
 * [CMOS] Ralf Brown's CMOS memory map: the century byte
 */
import { civilFromDays, daysFromCivil, weekday } from "./civil-time.js";

export const TimeRegister = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  weekday: 0x06,
  day: 0x07,
  month: 0x08,
  year: 0x09,
  /** [CMOS] 0x32; the FADT names it to the operating system. */
  century: 0x32,
} as const;

/** Bits of register B that say how the bytes read. [MC146818A] "Register B" */
export const RtcMode = { hours24: 0x02, binary: 0x04 } as const;

const REGISTER_B = 0x0b;
const AFTERNOON = 0x80;
/** An alarm byte with both top bits set matches everything. [MC146818A] "Time, calendar and alarm locations" */
const ANY = 0xc0;
const DAY = 86_400;

/** Writes the time registers for `second`, seconds since 1970. */
export function encodeTime(second: number, cmos: Uint8Array): void {
  const mode = cmos[REGISTER_B] ?? 0;
  const days = Math.floor(second / DAY);
  const inDay = second - days * DAY;
  const date = civilFromDays(days);
  const hours = Math.floor(inDay / 3600);
  cmos[TimeRegister.seconds] = encode(inDay % 60, mode);
  cmos[TimeRegister.minutes] = encode(Math.floor(inDay / 60) % 60, mode);
  cmos[TimeRegister.hours] =
    (mode & RtcMode.hours24) !== 0
      ? encode(hours, mode)
      : encode(hours % 12 === 0 ? 12 : hours % 12, mode) | (hours >= 12 ? AFTERNOON : 0);
  cmos[TimeRegister.weekday] = encode(weekday(days), mode);
  cmos[TimeRegister.day] = encode(date.day, mode);
  cmos[TimeRegister.month] = encode(date.month, mode);
  cmos[TimeRegister.year] = encode(((date.year % 100) + 100) % 100, mode);
  cmos[TimeRegister.century] = encode(Math.floor(date.year / 100) % 100, mode);
}

/** Seconds since 1970 that the time registers say. The weekday is not looked at. */
export function decodeTime(cmos: Uint8Array): number {
  const mode = cmos[REGISTER_B] ?? 0;
  const field = (register: number): number => decode(cmos[register] ?? 0, mode);
  const month = Math.min(12, Math.max(1, field(TimeRegister.month)));
  const year = field(TimeRegister.century) * 100 + field(TimeRegister.year);
  const days = daysFromCivil(year, month, field(TimeRegister.day));
  const hours = decodeHours(cmos[TimeRegister.hours] ?? 0, mode);
  return days * DAY + hours * 3600 + field(TimeRegister.minutes) * 60 + field(TimeRegister.seconds);
}

/** Seconds from `second` to the next match of the alarm registers, 1..86400; Infinity when they match no time. */
export function alarmDelay(second: number, cmos: Uint8Array): number {
  const mode = cmos[REGISTER_B] ?? 0;
  const rawHours = cmos[TimeRegister.hoursAlarm] ?? 0;
  const hours = rawHours >= ANY ? -1 : decodeHours(rawHours, mode);
  const minutes = alarmField(cmos[TimeRegister.minutesAlarm] ?? 0, mode);
  const seconds = alarmField(cmos[TimeRegister.secondsAlarm] ?? 0, mode);
  if (hours > 23 || minutes > 59 || seconds > 59) return Infinity;
  const start = second + 1 - Math.floor((second + 1) / DAY) * DAY;
  let at = start;
  // Skips to the next hour, minute or second that can match: at most 24 + 60 + 60 steps in two days.
  while (at < 2 * DAY) {
    if (hours >= 0 && Math.floor(at / 3600) % 24 !== hours) at = (Math.floor(at / 3600) + 1) * 3600;
    else if (minutes >= 0 && Math.floor(at / 60) % 60 !== minutes) at = (Math.floor(at / 60) + 1) * 60;
    else if (seconds >= 0 && at % 60 !== seconds) at++;
    else return at - start + 1;
  }
  return Infinity;
}

function alarmField(raw: number, mode: number): number {
  return raw >= ANY ? -1 : decode(raw, mode);
}

function decodeHours(raw: number, mode: number): number {
  if ((mode & RtcMode.hours24) !== 0) return decode(raw, mode);
  const hours = decode(raw & 0x7f, mode) % 12;
  return (raw & AFTERNOON) !== 0 ? hours + 12 : hours;
}

function decode(raw: number, mode: number): number {
  return (mode & RtcMode.binary) !== 0 ? raw : (raw >> 4) * 10 + (raw & 15);
}

function encode(value: number, mode: number): number {
  return (mode & RtcMode.binary) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
}
