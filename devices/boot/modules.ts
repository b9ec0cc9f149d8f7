/**
 * Boot modules of multiboot and PVH kernels: `path args,path args`, where a doubled comma is a comma in a name, as QEMU
 * reads its `-initrd` for multiboot.
 */
import { VmmError } from "../../shared/errors.js";
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gpa } from "../../shared/brand.js";
import { imageError, loadImage } from "./image.js";
import type { BootContext } from "./boot-data.js";

export interface ModuleRequest {
  readonly path: string;
  /** Everything behind the first space; empty when there is nothing. */
  readonly args: string;
}

export interface LoadedModule extends ModuleRequest {
  readonly at: Gpa;
  /** In bytes. */
  readonly size: number;
}

/** Splits a list of modules. @throws VmmError CONFIG when a name is empty */
export function parseModules(list: string): readonly ModuleRequest[] {
  const items: string[] = [];
  let item = "";
  for (let i = 0; i < list.length; i++) {
    const comma = list[i] === ",";
    if (comma && list[i + 1] !== ",") {
      items.push(item);
      item = "";
      continue;
    }
    item += list[i] ?? "";
    if (comma) i++;
  }
  items.push(item);
  return items.map((each) => {
    const text = each.trimStart();
    const space = text.indexOf(" ");
    const path = space < 0 ? text : text.slice(0, space);
    if (path === "") throw new VmmError("CONFIG", "Cannot load the boot modules: one of --initrd's names is empty");
    return { path, args: space < 0 ? "" : text.slice(space + 1) };
  });
}

/** Loads all modules page-aligned, each as low as possible from `from`. */
export function loadModules(context: BootContext, from: number): readonly LoadedModule[] {
  if (context.initrd === undefined) return [];
  return parseModules(context.initrd).map((request) => {
    const image = context.files.open(request.path);
    if (image.size === 0) throw imageError(image, "the module is empty");
    const at = context.placement.takeLowest(image.size, PAGE_SIZE, from);
    if (at === undefined) {
      throw imageError(image, `the module of ${image.size} bytes does not fit in guest RAM behind the kernel`);
    }
    loadImage(image, context.memory, { offset: 0, length: image.size, to: at, what: "the module" });
    return { ...request, at, size: image.size };
  });
}
