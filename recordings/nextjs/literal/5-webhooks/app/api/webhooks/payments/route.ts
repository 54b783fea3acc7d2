import { createHmac } from 'crypto';
import { getDb } from '@/lib/db';

const WEBHOOK_SECRET = process.env.WEBHOOK_SECRET || '';

export async function POST(request: Request) {
  const body = await request.text();
  const expected = 'sha256=' + createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex');
  if (request.headers.get('x-signature') !== expected) {
    return Response.json({ error: 'Bad signature' }, { status: 400 });
  }
  const event = JSON.parse(body);
  getDb()
    .prepare('INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)')
    .run(event.id, event.type, JSON.stringify(event.data));
  return Response.json({ status: 'ok' });
}
