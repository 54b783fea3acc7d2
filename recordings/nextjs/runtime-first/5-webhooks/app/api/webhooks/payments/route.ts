import { createHmac } from 'node:crypto';
import { refuse } from '@/lib/auth';
import { database } from '@/lib/db';

const WEBHOOK_SECRET = process.env.WEBHOOK_SECRET ?? 'dev-webhook-secret';

export async function POST(request: Request) {
  const body = Buffer.from(await request.arrayBuffer());
  const expected = 'sha256=' + createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex');
  if (request.headers.get('x-signature') !== expected) return refuse(401, 'bad signature');
  const event = JSON.parse(body.toString());
  const insert = database().prepare('INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)');
  insert.run(event.id, event.type, JSON.stringify(event.data));
  return Response.json({ received: true });
}
