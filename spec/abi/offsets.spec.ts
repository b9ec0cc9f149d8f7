/** Our layouts against those of the real headers, as spec/abi/generate.mjs found them with a C compiler. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as event from "../../xen/abi/event-channel.js";
import * as fifo from "../../xen/abi/evtchn-fifo.js";
import * as grant from "../../xen/abi/grant-table.js";
import * as hvm from "../../xen/abi/hvm.js";
import * as hvmVcpu from "../../xen/abi/hvm-vcpu.js";
import * as memory from "../../xen/abi/memory.js";
import { multicallEntry } from "../../xen/abi/multicall.js";
import * as physdev from "../../xen/abi/physdev.js";
import * as sched from "../../xen/abi/sched.js";
import * as shared from "../../xen/abi/shared-info.js";
import * as vcpu from "../../xen/abi/vcpu.js";
import * as version from "../../xen/abi/version.js";
import * as xen from "../../xen/abi/xen.js";

interface Layout {
  readonly size: number;
  readonly offsets: Readonly<Record<string, number>>;
}
interface Reference {
  readonly structs: Readonly<Record<string, { readonly wide: Layout; readonly compat: Layout }>>;
  readonly constants: Readonly<Record<string, number>>;
}

// Compiled specs run out of the output folder; the numbers stay in the source tree.
const root = new URL(import.meta.url.includes("/dist/") ? "../../../" : "../../../../", import.meta.url);
const reference = JSON.parse(readFileSync(new URL("spec/abi/offsets.json", root), "utf8")) as Reference;

const OURS: Readonly<Record<string, { readonly wide: Layout; readonly compat: Layout } | Layout>> = {
  ...pick(event, ["allocUnbound", "bindInterdomain", "bindVirq", "bindPirq", "bindIpi", "portArgument"]),
  ...pick(event, ["evtchnStatus", "bindVcpu", "evtchnReset"]),
  ...pick(fifo, ["initControl", "expandArray", "setPriority"]),
  ...pick(grant, ["gnttabMapGrantRef", "gnttabUnmapGrantRef", "gnttabCopy", "gnttabGetStatusFrames"]),
  ...pick(grant, ["gnttabSwapGrantRef"]),
  ...pick(grant, ["gnttabSetupTable", "gnttabQuerySize", "gnttabSetVersion", "gnttabGetVersion", "grantEntryV1"]),
  ...pick(hvm, ["hvmParam", "evtchnUpcallVector", "hvmGetTime", "hvmGetMemType"]),
  ...pick(hvm, ["hvmPagetableDying", "hvmXentrace"]),
  ...pick(hvmVcpu, ["vcpuHvmContext", "vcpuHvmX86_32", "vcpuHvmX86_64"]),
  ...pick(memory, ["addToPhysmap", "addToPhysmapBatch", "removeFromPhysmap", "memoryReservation", "memoryMap"]),
  ...pick(memory, ["foreignMemoryMap", "podTarget", "memAccessOp", "vnumaTopologyInfo", "reservedDeviceMemoryMap"]),
  ...pick(memory, ["memoryDomain"]),
  ...pick(physdev, ["physdevEoi", "irqStatusQuery", "mapPirq", "unmapPirq", "getFreePirq"]),
  ...pick(sched, ["schedShutdown", "schedPoll", "schedRemoteShutdown", "schedWatchdog"]),
  ...pick(vcpu, ["runstateInfo", "registerArea", "setPeriodicTimer", "setSingleshotTimer", "registerVcpuInfo"]),
  ...pick(version, ["compileInfo", "platformParameters", "featureInfo"]),
  ...pick(shared, ["vcpuTimeInfo"]),
  multicallEntry,
  vcpuInfo: {
    wide: vcpuInfo(shared.SHARED_INFO_64),
    compat: vcpuInfo(shared.SHARED_INFO_32),
  },
  sharedInfo: {
    wide: sharedInfo(shared.SHARED_INFO_64, "wide"),
    compat: sharedInfo(shared.SHARED_INFO_32, "compat"),
  },
};

function pick(module: object, names: readonly string[]): Readonly<Record<string, Layout>> {
  return Object.fromEntries(names.map((name) => [name, (module as Readonly<Record<string, Layout>>)[name] as Layout]));
}

function vcpuInfo(layout: shared.SharedInfoLayout): Layout {
  const { pendingSelector } = layout;
  const offsets = { upcallPending: shared.UPCALL_PENDING, pendingSelector, time: shared.VCPU_INFO_TIME };
  return { size: shared.VCPU_INFO_SIZE, offsets };
}

/** Nothing of ours depends on the size of shared_info. */
function sharedInfo(layout: shared.SharedInfoLayout, width: "wide" | "compat"): Layout {
  return { size: reference.structs["sharedInfo"]?.[width].size ?? 0, offsets: { ...layout } };
}

describe("Xen ABI layouts", () => {
  for (const [name, expected] of Object.entries(reference.structs)) {
    for (const width of ["wide", "compat"] as const) {
      it(`${name} is laid out as in the headers, ${width === "wide" ? 64 : 32} bit`, () => {
        const ours = OURS[name];
        assert(ours !== undefined, `there is no ${name}`);
        const layout = "wide" in ours ? ours[width] : ours;
        const offsets = Object.fromEntries(
          Object.keys(expected[width].offsets).map((field) => [field, layout.offsets[field]]),
        );
        assert.deepEqual(
          { size: layout.size, offsets },
          { size: expected[width].size, offsets: expected[width].offsets },
        );
      });
    }
  }
});

describe("Xen ABI constants", () => {
  const numbers = reference.constants;

  it("numbers hypercalls as xen.h does", () => {
    const named = Object.entries(numbers).filter(([name]) => name.startsWith("__HYPERVISOR_"));
    const ours = named.map(([name]) => [
      name,
      (xen.HypercallNumber as Readonly<Record<string, number>>)[name.replace("__HYPERVISOR_", "")],
    ]);
    assert.deepEqual(ours, named);
  });

  it("has the headers' values elsewhere, too", () => {
    assert.deepEqual(
      {
        NR_VIRQS: xen.NR_VIRQS,
        DOMID_SELF: xen.DOMID_SELF,
        HVM_NR_PARAMS: hvm.HVM_NR_PARAMS,
        HVM_PARAM_CONSOLE_EVTCHN: hvm.HvmParam.CONSOLE_EVTCHN,
        HVM_PARAM_X87_FIP_WIDTH: hvm.HvmParam.X87_FIP_WIDTH,
        GTF_permit_access: grant.Gtf.permitAccess,
        GTF_readonly: grant.Gtf.readonly,
        GTF_reading: grant.Gtf.reading,
        GTF_writing: grant.Gtf.writing,
        GTF_sub_page: grant.Gtf.subPage,
        XENMEM_add_to_physmap_batch: memory.Xenmem.add_to_physmap_batch,
        XENMEM_remove_from_physmap: memory.Xenmem.remove_from_physmap,
        XENFEAT_hvm_callback_vector: Math.log2(version.XenFeature.hvmCallbackVector),
        XENFEAT_hvm_safe_pvclock: Math.log2(version.XenFeature.hvmSafePvclock),
        XENFEAT_hvm_pirqs: Math.log2(version.XenFeature.hvmPirqs),
        VMASST_TYPE_runstate_update_flag: xen.VmAssist.typeRunstateUpdateFlag,
      },
      Object.fromEntries(Object.entries(numbers).filter(([name]) => !name.startsWith("__HYPERVISOR_"))),
    );
  });
});
