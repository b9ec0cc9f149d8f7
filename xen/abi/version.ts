/** xen_version. [VERSION] xen.git xen/include/public/version.h, features.h */
import { bytes, u32 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `XENVER_*`. */
export const Xenver = {
  version: 0,
  extraversion: 1,
  compile_info: 2,
  capabilities: 3,
  changeset: 4,
  platform_parameters: 5,
  get_features: 6,
  pagesize: 7,
  guest_handle: 8,
  commandline: 9,
  build_id: 10,
} as const;

/** Bits of feature submap 0, `XENFEAT_*`. */
export const XenFeature = {
  writablePageTables: 1 << 0,
  writableDescriptorTables: 1 << 1,
  autoTranslatedPhysmap: 1 << 2,
  supervisorModeKernel: 1 << 3,
  hvmCallbackVector: 1 << 8,
  hvmSafePvclock: 1 << 9,
  hvmPirqs: 1 << 10,
  /** Since Xen 4.18. */
  runstatePhysArea: 1 << 18,
  vcpuTimePhysArea: 1 << 19,
} as const;

export const extraversion = dualStruct("xen_extraversion_t", [16, 16], () => ({ text: bytes(16) }));
export const compileInfo = dualStruct("xen_compile_info", [144, 144], () => ({
  compiler: bytes(64),
  compileBy: bytes(16),
  compileDomain: bytes(32),
  compileDate: bytes(32),
}));
export const capabilitiesInfo = dualStruct("xen_capabilities_info_t", [1024, 1024], () => ({ text: bytes(1024) }));
export const changesetInfo = dualStruct("xen_changeset_info_t", [64, 64], () => ({ text: bytes(64) }));
export const platformParameters = dualStruct("xen_platform_parameters", [8, 4], (t) => ({ virtStart: t.ulong }));
export const featureInfo = dualStruct("xen_feature_info", [8, 8], () => ({ submapIdx: u32, submap: u32 }));
export const domainHandle = dualStruct("xen_domain_handle_t", [16, 16], () => ({ handle: bytes(16) }));
export const commandLine = dualStruct("xen_commandline_t", [1024, 1024], () => ({ text: bytes(1024) }));
