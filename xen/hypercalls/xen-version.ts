/** xen_version: who we say we are. [VERSION] xen.git xen/include/public/version.h, features.h */
import { PAGE_SIZE } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/version.js";
import { HypercallNumber } from "../abi/xen.js";
import { bareOperation, operation } from "./call.js";
import type { Hypercall } from "./call.js";

const { Xenver, XenFeature } = abi;

/** Interfaces that a guest may be built for, spelt as Xen spells them whatever its version. */
const CAPABILITIES = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";

/** What follows major.minor in the version. */
const EXTRA_VERSION = ".0";

/** Where the hypervisor's own address range begins, for 64-bit and for 32-bit guests. */
const VIRT_START_64 = 0xffff_8000 * 0x1_0000_0000;
const VIRT_START_32 = 0xf580_0000;

const FEATURES =
  XenFeature.writablePageTables |
  XenFeature.writableDescriptorTables |
  XenFeature.autoTranslatedPhysmap |
  XenFeature.hvmCallbackVector |
  XenFeature.hvmSafePvclock |
  XenFeature.hvmPirqs |
  XenFeature.runstatePhysArea |
  XenFeature.vcpuTimePhysArea;

/** Writes `text` as a C string over the whole of `target`, zeros to its end (XSA-122). */
function fillText(target: Uint8Array, text: string): void {
  target.fill(0);
  for (let i = 0; i < Math.min(text.length, target.length - 1); i++) target[i] = text.charCodeAt(i);
}

export const xenVersion: Hypercall = {
  number: HypercallNumber.xen_version,
  name: "xen_version",
  pointer: 1,
  operations: [
    bareOperation(Xenver.version, "XENVER_version", (xen) => xen.config.version),
    operation(
      { number: Xenver.extraversion, name: "XENVER_extraversion" },
      "out",
      abi.extraversion,
      (_xen, _call, argument) => {
        fillText(argument.text, EXTRA_VERSION);
        return 0;
      },
    ),
    operation(
      { number: Xenver.compile_info, name: "XENVER_compile_info" },
      "out",
      abi.compileInfo,
      (_xen, _call, argument) => {
        fillText(argument.compiler, "tsc");
        fillText(argument.compileBy, "xenolith");
        fillText(argument.compileDomain, "");
        fillText(argument.compileDate, "");
        return 0;
      },
    ),
    operation(
      { number: Xenver.capabilities, name: "XENVER_capabilities" },
      "out",
      abi.capabilitiesInfo,
      (_xen, _call, argument) => {
        fillText(argument.text, CAPABILITIES);
        return 0;
      },
    ),
    operation(
      { number: Xenver.changeset, name: "XENVER_changeset" },
      "out",
      abi.changesetInfo,
      (_xen, _call, argument) => {
        fillText(argument.text, "unavailable");
        return 0;
      },
    ),
    operation(
      { number: Xenver.platform_parameters, name: "XENVER_platform_parameters" },
      "out",
      abi.platformParameters,
      (_xen, call, argument) => {
        argument.virtStart = call.longMode ? VIRT_START_64 : VIRT_START_32;
        return 0;
      },
    ),
    operation(
      { number: Xenver.get_features, name: "XENVER_get_features" },
      "inout",
      abi.featureInfo,
      (_xen, _call, argument) => {
        argument.submap = argument.submapIdx === 0 ? FEATURES : 0;
        return 0;
      },
    ),
    bareOperation(Xenver.pagesize, "XENVER_pagesize", (_xen, call) => (call.isNull(1) ? PAGE_SIZE : Errno.EINVAL)),
    operation(
      { number: Xenver.guest_handle, name: "XENVER_guest_handle" },
      "out",
      abi.domainHandle,
      (xen, _call, argument) => {
        argument.handle.set(xen.config.handle.subarray(0, argument.handle.length));
        return 0;
      },
    ),
    operation(
      { number: Xenver.commandline, name: "XENVER_commandline" },
      "out",
      abi.commandLine,
      (_xen, _call, argument) => {
        // The hypervisor's own command line is not for guests; Xen answers with this word, too.
        fillText(argument.text, "<denied>");
        return 0;
      },
    ),
    bareOperation(Xenver.build_id, "XENVER_build_id", () => Errno.EPERM),
  ],
};
