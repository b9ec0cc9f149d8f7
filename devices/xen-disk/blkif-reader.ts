/**
 * From bytes in a ring to a checked request. Slots and pages of descriptors are copied to private memory first, and only
 * the copies are looked at: the guest may rewrite the originals at any time (XSA-155).
 *
 * [BLKIF] xen.git xen/include/public/io/blkif.h
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import { BLKIF_ABIS, BlkifOp, BlkifStatus, MAX_DIRECT_SEGMENTS, blkifSegment } from "./blkif-abi.js";
import type { BlkifAbi } from "./blkif-abi.js";
import type { BlkifRequest } from "./blkif-request.js";
import type { BlkifRing } from "./blkif-ring.js";
import { BlockOp, MAX_SEGMENTS, SECTOR_SIZE } from "../block-backend.js";
import type { BlockBackend, BlockOpCode } from "../block-backend.js";
import type { GrantCache } from "./grant-cache.js";

/** {@link BlkifReader.prepare}: the request is to be submitted. Other values are the status to answer with at once. */
export const READY = 1;

const LAST_SECTOR_OF_PAGE = PAGE_SIZE / SECTOR_SIZE - 1;
/** Room for a slot of either ABI; the copy of indirect descriptors follows it. */
const SLOT_SIZE = Math.max(BLKIF_ABIS["x86_64-abi"].slotSize, BLKIF_ABIS["x86_32-abi"].slotSize);
const DESCRIPTOR_WORDS = blkifSegment.size / 4;

type ViewOf<K extends "request" | "discard" | "indirect"> = ReturnType<BlkifAbi[K]["view"]>;

export class BlkifReader {
  readonly #abi: BlkifAbi;
  readonly #cache: GrantCache;
  readonly #slot: Int32Array<ArrayBuffer>;
  readonly #descriptors: Int32Array<ArrayBuffer>;
  /** The same private slot, seen as each of the three request forms, and the segment under consideration. */
  readonly #request: ViewOf<"request">;
  readonly #discard: ViewOf<"discard">;
  readonly #indirect: ViewOf<"indirect">;
  readonly #segment: ReturnType<typeof blkifSegment.view>;
  /** Where the data of the request under consideration goes: the first sector, and `#count` descriptors at byte `#at`. */
  #sector = 0;
  #count = 0;
  #at = 0;

  constructor(abi: BlkifAbi, cache: GrantCache) {
    const copy = new ArrayBuffer(SLOT_SIZE + MAX_SEGMENTS * blkifSegment.size);
    this.#abi = abi;
    this.#cache = cache;
    this.#slot = new Int32Array(copy, 0, abi.slotSize / 4);
    this.#descriptors = new Int32Array(copy, SLOT_SIZE);
    this.#request = abi.request.view(copy);
    this.#discard = abi.discard.view(copy);
    this.#indirect = abi.indirect.view(copy);
    this.#segment = blkifSegment.view(copy);
  }

  /** Fetches the next request of `ring` into the cleared `request`, checks it and maps its pages. */
  prepare(ring: BlkifRing, request: BlkifRequest, storage: BlockBackend): number {
    ring.fetch(this.#slot);
    const operation = this.#request.operation;
    request.operation = operation;
    request.idLow = this.#request.idLow;
    request.idHigh = this.#request.idHigh;
    switch (operation) {
      case BlkifOp.read:
        return this.#prepareDirect(request, storage, BlockOp.read);
      case BlkifOp.write:
        return this.#prepareDirect(request, storage, BlockOp.write);
      case BlkifOp.flushDiskcache:
      case BlkifOp.writeBarrier:
        return this.#prepareFlush(request, storage, operation === BlkifOp.writeBarrier);
      case BlkifOp.discard:
        return this.#prepareDiscard(request, storage);
      case BlkifOp.indirect:
        return this.#prepareIndirect(request, storage);
      default:
        return BlkifStatus.notSupported;
    }
  }

  #prepareDirect(request: BlkifRequest, storage: BlockBackend, op: BlockOpCode): number {
    const count = this.#request.nrSegments;
    if (count < 1 || count > MAX_DIRECT_SEGMENTS) return BlkifStatus.error;
    request.op = op;
    this.#sector = this.#request.sectorNumber;
    this.#count = count;
    this.#at = this.#abi.request.offsets.segments;
    return this.#prepareData(request, storage);
  }

  /** A flush may carry data, which is written after it; a barrier's data is flushed once more. */
  #prepareFlush(request: BlkifRequest, storage: BlockBackend, barrier: boolean): number {
    const hasData = this.#request.nrSegments > 0;
    request.op = BlockOp.write;
    if (hasData) {
      const status = this.#prepareDirect(request, storage, BlockOp.write);
      if (status !== READY) return status;
    } else if (storage.readOnly) {
      return BlkifStatus.okay; // Nothing was ever written.
    }
    request.barrier = barrier;
    request.writeNext = hasData;
    request.flushNext = hasData && barrier;
    request.aimAtFlush();
    return READY;
  }

  /** BLKIF_DISCARD_SECURE is ignored, as [BLKIF] has it where `discard-secure` is not offered. */
  #prepareDiscard(request: BlkifRequest, storage: BlockBackend): number {
    const sector = this.#discard.sectorNumber;
    const count = this.#discard.nrSectors;
    if (!storage.discards) return BlkifStatus.notSupported;
    if (storage.readOnly || sector + count > storage.sectors) return BlkifStatus.error;
    if (count === 0) return BlkifStatus.okay;
    request.op = BlockOp.discard;
    request.offset = sector * SECTOR_SIZE;
    request.length = count * SECTOR_SIZE;
    return READY;
  }

  /** Up to 256 descriptors fill half a page, so only the first of the indirect pages is ever needed. */
  #prepareIndirect(request: BlkifRequest, storage: BlockBackend): number {
    const { indirectOp, nrSegments: count } = this.#indirect;
    if (indirectOp !== BlkifOp.read && indirectOp !== BlkifOp.write) return BlkifStatus.error;
    // What the response names: Linux's front end compares it with what it asked for (xen-blkfront.c, blkif_completion).
    request.operation = indirectOp;
    if (count < 1 || count > MAX_SEGMENTS) return BlkifStatus.error;
    if (!this.#copyDescriptors(this.#indirect.firstIndirectGref, count)) return BlkifStatus.error;
    request.op = indirectOp === BlkifOp.read ? BlockOp.read : BlockOp.write;
    this.#sector = this.#indirect.sectorNumber;
    this.#count = count;
    this.#at = SLOT_SIZE;
    return this.#prepareData(request, storage);
  }

  #copyDescriptors(ref: number, count: number): boolean {
    if (!this.#cache.acquire(ref, false)) return false;
    const { region, offset, place } = this.#cache;
    if (region !== undefined) {
      const from = offset / 4;
      for (let i = 0; i < count * DESCRIPTOR_WORDS; i++) this.#descriptors[i] = region.words[from + i] ?? 0;
    }
    this.#cache.release(ref, false, place);
    return region !== undefined;
  }

  /** Checks all descriptors of the copy, then maps their pages; on failure nothing stays mapped. */
  #prepareData(request: BlkifRequest, storage: BlockBackend): number {
    if (request.op === BlockOp.write && storage.readOnly) return BlkifStatus.error;
    const segment = this.#segment;
    let sectors = 0;
    for (let i = 0; i < this.#count; i++) {
      segment.at(this.#at + i * blkifSegment.size);
      const { firstSect, lastSect } = segment;
      if (lastSect < firstSect || lastSect > LAST_SECTOR_OF_PAGE) return BlkifStatus.error;
      sectors += lastSect - firstSect + 1;
    }
    // Sector numbers of 2^53 and more are rounded, but still huge: nothing wraps.
    if (this.#sector + sectors > storage.sectors) return BlkifStatus.error;
    request.offset = this.#sector * SECTOR_SIZE;
    for (let i = 0; i < this.#count; i++) {
      segment.at(this.#at + i * blkifSegment.size);
      const { firstSect } = segment;
      const length = (segment.lastSect - firstSect + 1) * SECTOR_SIZE;
      if (!request.addSegment(this.#cache, segment.gref, firstSect * SECTOR_SIZE, length)) {
        request.releaseGrants(this.#cache);
        return BlkifStatus.error;
      }
    }
    return READY;
  }
}
