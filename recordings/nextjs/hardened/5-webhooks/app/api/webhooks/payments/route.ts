import { Event, signed, store } from '@/lib/events';
import { Refusal, parseJson, readBody, route } from '@/lib/http';

const LARGEST_EVENT = 1024 * 1024;

export const POST = route(async (request) => {
  const body = await readBody(request, LARGEST_EVENT);
  if (!signed(request.headers.get('x-signature'), body)) throw new Refusal(401, 'the signature does not match');
  store(parseJson(body, Event));
  return Response.json({ status: 'ok' });
});
