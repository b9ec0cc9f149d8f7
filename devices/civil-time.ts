/**
 * Calendar arithmetic for the clock chip, without the host's Date. Proleptic Gregorian calendar, days counted from
 * 1970-01-01. Any finite integers in give finite integers out.
 */

export interface CivilDate {
  readonly year: number;
  /** 1..12. */
  readonly month: number;
  /** 1..31. */
  readonly day: number;
}

const DAYS_PER_ERA = 146_097; // 400 years
/** Days from 0000-03-01, with which eras start, to 1970-01-01. */
const EPOCH_SHIFT = 719_468;

/** Days since the epoch. `day` may run over its month. */
export function daysFromCivil(year: number, month: number, day: number): number {
  // Years begin in March here, so that the leap day is the last of its year.
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return (
    era * DAYS_PER_ERA +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    EPOCH_SHIFT
  );
}

export function civilFromDays(days: number): CivilDate {
  const shifted = days + EPOCH_SHIFT;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** 1 = Sunday .. 7 = Saturday, as clock chips count. 1970-01-01 was a Thursday. */
export function weekday(days: number): number {
  return ((((days + 4) % 7) + 7) % 7) + 1;
}
