import { currentUser } from '@/lib/auth';
import { LARGEST, cleanName, list, store } from '@/lib/files';
import { Refusal, readBody, route } from '@/lib/http';

export const dynamic = 'force-dynamic';

// The multipart form's own lines come on top.
const LARGEST_BODY = LARGEST + 64 * 1024;

async function readForm(request: Request): Promise<FormData> {
  const headers = { 'content-type': request.headers.get('content-type') ?? '' };
  const body = await readBody(request, LARGEST_BODY);
  try {
    return await new Response(body, { headers }).formData();
  } catch {
    throw new Refusal(400, 'the body is not a multipart form');
  }
}

export const POST = route(async (request) => {
  const user = await currentUser(request);
  const form = await readForm(request);
  const file = form.get('file');
  if (!(file instanceof File) || [...form.keys()].length !== 1) throw new Refusal(422, 'one field is needed: file');
  const name = cleanName(file.name);
  if (!name) throw new Refusal(422, 'the file needs a name');
  const entry = await store(user.id, name, Buffer.from(await file.arrayBuffer()));
  return Response.json(entry, { status: 201 });
});

export const GET = route(async (request) => {
  const user = await currentUser(request);
  return Response.json({ files: list(user.id) });
});
