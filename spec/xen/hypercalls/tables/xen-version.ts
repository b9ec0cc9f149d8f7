/** xen_version. [VERSION] xen.git xen/include/public/version.h, features.h */
import * as abi from "../../../../xen/abi/version.js";
import { EINVAL, ENOSYS, EPERM } from "./errno.js";
import { Family } from "./family.js";
import { at, between } from "./value.js";

const family = new Family({ name: "xen_version", number: 17, source: "xen-version.ts", pointer: 1 });

const op = {
  version: family.bare(0, "XENVER_version"),
  extraversion: family.operation({ number: 1, name: "XENVER_extraversion" }, "out", abi.extraversion),
  compileInfo: family.operation({ number: 2, name: "XENVER_compile_info" }, "out", abi.compileInfo),
  capabilities: family.operation({ number: 3, name: "XENVER_capabilities" }, "out", abi.capabilitiesInfo),
  changeset: family.operation({ number: 4, name: "XENVER_changeset" }, "out", abi.changesetInfo),
  platformParameters: family.operation(
    { number: 5, name: "XENVER_platform_parameters" },
    "out",
    abi.platformParameters,
  ),
  getFeatures: family.operation({ number: 6, name: "XENVER_get_features" }, "inout", abi.featureInfo),
  pagesize: family.bare(7, "XENVER_pagesize"),
  guestHandle: family.operation({ number: 8, name: "XENVER_guest_handle" }, "out", abi.domainHandle),
  commandline: family.operation({ number: 9, name: "XENVER_commandline" }, "out", abi.commandLine),
  buildId: family.bare(10, "XENVER_build_id"),
  unknown: family.bare(11, "sub-operation 11"),
};

/** XENFEAT bits 0, 1, 2, 8, 9, 10, 18 and 19: what an HVM guest has. */
const FEATURES = 0xc_0707;

export const xenVersionTable = family.table([
  op.version.table("major version times 65536, and minor", [
    op.version.row("tells 4.x", {}, between(0x4_0000, 0x4_ffff)),
    op.version.row("H2: refuses user mode", {}, EPERM, { cpl: 3, notInGuest: "it has no user mode" }),
  ]),
  op.extraversion.table("what follows the minor version", [
    op.extraversion.row("H7: pads its text with zeros", {}, 0, { after: { text: ".0" } }),
  ]),
  op.compileInfo.table("who compiled it, and with what", [
    op.compileInfo.row("H7: pads its texts with zeros", {}, 0, {
      after: { compiler: "tsc", compileBy: "xenolith", compileDomain: "", compileDate: "" },
    }),
  ]),
  op.capabilities.table("kinds of guests that there may be", [
    op.capabilities.row("H7: pads its text with zeros", {}, 0, {
      after: { text: "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 " },
    }),
  ]),
  op.changeset.table('"unavailable"', [
    op.changeset.row("H7: pads its text with zeros", {}, 0, { after: { text: "unavailable" } }),
  ]),
  op.platformParameters.table("where the hypervisor's addresses begin, for the caller's mode", [
    op.platformParameters.row("tells", {}, 0),
    op.platformParameters.row("tells a 64-bit caller", {}, 0, {
      mode: 64,
      after: { virtStart: 0xffff_8000_0000_0000n },
    }),
    op.platformParameters.row("tells a 32-bit caller", {}, 0, { mode: 32, after: { virtStart: 0xf580_0000 } }),
  ]),
  op.getFeatures.table("features of an HVM guest, in submap 0", [
    op.getFeatures.row("tells them", { submapIdx: 0, submap: 0 }, 0, { after: { submap: FEATURES } }),
    op.getFeatures.row("tells none in submap 1", { submapIdx: 1, submap: 0xff }, 0, { after: { submap: 0 } }),
    op.getFeatures.row("tells none in submap 2^32-1", { submapIdx: 0xffff_ffff }, 0, { after: { submap: 0 } }),
  ]),
  op.pagesize.table("4096", [
    op.pagesize.row("tells it", {}, 4096),
    op.pagesize.row("refuses a pointer", {}, EINVAL, { args: { 1: at("argument") } }),
  ]),
  op.guestHandle.table("the domain's UUID", [op.guestHandle.row("fills 16 bytes", {}, 0)]),
  op.commandline.table('"<denied>": the hypervisor\'s command line is not for guests', [
    op.commandline.row("H7: pads its text with zeros", {}, 0, { after: { text: "<denied>" } }),
  ]),
  op.buildId.table("refused", [
    op.buildId.row("refuses a null pointer", {}, EPERM),
    op.buildId.row("refuses any pointer", {}, EPERM, { args: { 1: at("argument") } }),
  ]),
]);

/** What the family answers beside. */
export const xenVersionRest = op.unknown.table("", [
  op.unknown.row("H1: xen_version has no sub-operation 11", {}, ENOSYS),
]);
