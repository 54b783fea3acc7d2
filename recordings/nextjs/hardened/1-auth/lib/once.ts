const holder = globalThis as typeof globalThis & { appState?: Map<string, unknown> };
const state = (holder.appState ??= new Map());

/** One value for the process: Next puts a copy of each module into several bundles. */
export function once<T>(name: string, make: () => T): T {
  if (!state.has(name)) state.set(name, make());
  return state.get(name) as T;
}
