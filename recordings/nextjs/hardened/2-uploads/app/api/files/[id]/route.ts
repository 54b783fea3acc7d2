import { currentUser } from '@/lib/auth';
import { ownFile, read, remove } from '@/lib/files';
import { idOf, route } from '@/lib/http';

/** RFC 8187: what encodeURIComponent leaves and a header value may not have, encoded too. */
function encoded(name: string): string {
  return encodeURIComponent(name).replace(/['()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

export const GET = route(async (request, { params }) => {
  const user = await currentUser(request);
  const file = ownFile(idOf(params), user.id);
  const headers = {
    'Content-Type': file.kind,
    'Content-Disposition': `attachment; filename*=UTF-8''${encoded(file.filename)}`,
  };
  return new Response(await read(file), { headers });
});

export const DELETE = route(async (request, { params }) => {
  const user = await currentUser(request);
  await remove(ownFile(idOf(params), user.id), user.id);
  return new Response(null, { status: 204 });
});
