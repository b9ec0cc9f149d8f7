/** Names of the machine's parts: those that were given, and made-up ones around them. */
import { configError } from "./config-error.js";

/**
 * A name for each member of `list`: its own, or `prefix` and its place in the list, or the next number that is free.
 *
 * @throws VmmError CONFIG when two members were given one name
 */
export function uniqueIds(
  list: string,
  prefix: string,
  members: readonly { readonly id?: string | undefined }[],
): readonly string[] {
  const taken = new Set<string>();
  for (const [index, { id }] of members.entries()) {
    if (id === undefined) continue;
    if (taken.has(id)) throw configError(`${list}.${index}.id`, `${JSON.stringify(id)} is the name of another already`);
    taken.add(id);
  }
  return members.map(({ id }, index) => {
    if (id !== undefined) return id;
    let number = index;
    while (taken.has(`${prefix}${number}`)) number++;
    taken.add(`${prefix}${number}`);
    return `${prefix}${number}`;
  });
}
