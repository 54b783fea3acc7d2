/** The named fields of a JSON body, when each of them is a string. */
export async function strings<Name extends string>(request: Request, ...names: Name[]) {
  const body = await request.json().catch(() => null);
  const fits = body !== null && names.every((name) => typeof body[name] === 'string');
  return fits ? (body as Record<Name, string>) : null;
}
