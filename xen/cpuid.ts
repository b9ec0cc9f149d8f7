/**
 * The CPUID leaves by which a guest knows Xen.
 *
 * [CPUID] xen.git xen/include/public/arch-x86/cpuid.h
 */

/** One leaf, as KVM_SET_CPUID2 takes it. */
export interface CpuidLeaf {
  readonly function: number;
  readonly index: number;
  /** Whether `index` (ECX) tells sub-leaves apart. */
  readonly indexed: boolean;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface XenCpuidOptions {
  /** First leaf: 0x40000000, or 0x40000100 beside Hyper-V's. */
  readonly base: number;
  /** major << 16 | minor. */
  readonly xenVersion: number;
  /** Whether the guest may take the LAPIC's virtualisation as good (`xen-vapic`). */
  readonly xenVapic: boolean;
  readonly vcpuId: number;
  readonly domid: number;
  readonly hypercallMsr: number;
  /** Frequency of the guest's TSC and of the host's, in kHz; 0 when unknown. */
  readonly tscKhz: number;
  readonly hostTscKhz: number;
  /** Scale from TSC ticks to nanoseconds: multiplier and shift of the guest's vcpu_time_info. */
  readonly tscMul: number;
  readonly tscShift: number;
  /** Offset of system time against the scaled TSC: 64 bits in halves. */
  readonly tscOffsetLow: number;
  readonly tscOffsetHigh: number;
  /** Whether the TSC is known to keep its pace. */
  readonly tscStable: boolean;
  readonly rdtscp: boolean;
  /** Physical address bits of the guest: what leaf +5 would tell a PV guest, and does not tell others. */
}

const SIGNATURE_EBX = 0x566e_6558; // "XenV"
const SIGNATURE_ECX = 0x6558_4d4d; // "MMXe"
const SIGNATURE_EDX = 0x4d4d_566e; // "nVMM"
/** Leaves after the first, XEN_CPUID_MAX_NUM_LEAVES: a fifth, about PV guests and empty for others, came later. */
const LEAVES = 4;
const LEAVES_WITH_PV = 5;

/** Bits of leaf +3's EAX, [CPUID] "Leaf 4". */
const Tsc = { emulated: 1 << 0, reliable: 1 << 1, rdtscp: 1 << 2 } as const;

/** XEN_HVM_CPUID_*, leaf +4's EAX. */
const Hvm = {
  apicAccessVirt: 1 << 0,
  x2apicVirt: 1 << 1,
  iommuMappings: 1 << 2,
  vcpuIdPresent: 1 << 3,
  domidPresent: 1 << 4,
  upcallVector: 1 << 6,
} as const;

/** Versions of Xen in which leaf +5, and bits of leaf +4, appeared. */
const VERSION_IOMMU = 0x4_0005;
const VERSION_VCPU_ID = 0x4_0006;
const VERSION_PV_LEAF = 0x4_000a;
const VERSION_DOMID = 0x4_000c;
const VERSION_UPCALL_VECTOR = 0x4_0011;

export function xenCpuid(options: XenCpuidOptions): readonly CpuidLeaf[] {
  const { base, xenVersion, vcpuId, domid } = options;
  const features = hvmFeatures(options);
  const leaves = xenVersion >= VERSION_PV_LEAF ? LEAVES_WITH_PV : LEAVES;
  const time = (options.tscStable ? Tsc.reliable : 0) | (options.rdtscp ? Tsc.rdtscp : 0);
  return [
    leaf(base, [(base + leaves) >>> 0, SIGNATURE_EBX, SIGNATURE_ECX, SIGNATURE_EDX]),
    leaf(base + 1, [xenVersion, 0, 0, 0]),
    // One hypercall page, and the MSR that places it.
    leaf(base + 2, [1, options.hypercallMsr, 0, 0]),
    subleaf(base + 3, 0, [time, 0, options.tscKhz, 0]),
    subleaf(base + 3, 1, [
      options.tscOffsetLow,
      options.tscOffsetHigh,
      options.tscMul,
      // With its sign carried on, as Xen has it.
      options.tscShift,
    ]),
    subleaf(base + 3, 2, [options.hostTscKhz, 0, 0, 0]),
    leaf(base + 4, [
      features,
      (features & Hvm.vcpuIdPresent) !== 0 ? vcpuId : 0,
      (features & Hvm.domidPresent) !== 0 ? domid : 0,
      0,
    ]),
    ...(leaves === LEAVES_WITH_PV ? [leaf(base + LEAVES_WITH_PV, [0, 0, 0, 0])] : []),
  ];
}

/** EAX of leaf +4: what the version that we claim has told its HVM guests. */
function hvmFeatures(options: XenCpuidOptions): number {
  const { xenVersion, xenVapic } = options;
  if (xenVersion < VERSION_IOMMU) return 0;
  let features: number = Hvm.iommuMappings;
  if (xenVapic) features |= Hvm.apicAccessVirt | Hvm.x2apicVirt;
  if (xenVersion >= VERSION_VCPU_ID) features |= Hvm.vcpuIdPresent;
  if (xenVersion >= VERSION_DOMID) features |= Hvm.domidPresent;
  if (xenVersion >= VERSION_UPCALL_VECTOR) features |= Hvm.upcallVector;
  return features;
}

type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];

function leaf(number: number, registers: Registers): CpuidLeaf {
  return { ...subleaf(number, 0, registers), indexed: false };
}

function subleaf(number: number, index: number, registers: Registers): CpuidLeaf {
  const [eax, ebx, ecx, edx] = registers;
  return {
    function: number >>> 0,
    index,
    indexed: true,
    eax: eax >>> 0,
    ebx: ebx >>> 0,
    ecx: ecx >>> 0,
    edx: edx >>> 0,
  };
}
