import { z } from 'zod';

const LARGEST_JSON = 256 * 1024;

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(detail);
  }
}

type Context = { params: Record<string, string> };
type Handler = (request: Request, context: Context) => Response | Promise<Response>;

/** Turns a refusal into its answer, and any other error into one that tells nothing. */
export function route(handler: Handler): Handler {
  return async (request, context) => {
    try {
      return await handler(request, context);
    } catch (error) {
      if (error instanceof Refusal) {
        return Response.json({ detail: error.detail }, { status: error.status, headers: error.headers });
      }
      console.error(error);
      return Response.json({ detail: 'something went wrong' }, { status: 500 });
    }
  };
}

/** Stops reading a body that is too large, whether or not it says its length. */
export async function readBody(request: Request, largest: number): Promise<Buffer<ArrayBuffer>> {
  const tooLarge = new Refusal(413, 'the body is too large', { Connection: 'close' });
  if (Number(request.headers.get('content-length') ?? 0) > largest) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > largest) throw tooLarge;
    chunks.push(value);
  }
  return Buffer.concat(chunks);
}

export function parseJson<Schema extends z.ZodType>(body: Buffer, schema: Schema): z.output<Schema> {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Refusal(400, 'the body is not JSON');
  }
  return checked(content, schema);
}

export async function readJson<Schema extends z.ZodType>(request: Request, schema: Schema): Promise<z.output<Schema>> {
  return parseJson(await readBody(request, LARGEST_JSON), schema);
}

/** Names the fields that do not fit, without what was sent. */
export function checked<Schema extends z.ZodType>(content: unknown, schema: Schema): z.output<Schema> {
  const result = schema.safeParse(content);
  if (!result.success) {
    const fields = new Set(result.error.issues.map((issue) => issue.path.join('.') || 'body'));
    throw new Refusal(422, `does not fit: ${[...fields].join(', ')}`);
  }
  return result.data;
}
