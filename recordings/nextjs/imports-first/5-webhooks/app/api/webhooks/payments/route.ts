import { createHmac, timingSafeEqual } from 'crypto';
import { NextResponse } from 'next/server';
import { z } from 'zod';
import { config } from '@/lib/config';
import { getDb } from '@/lib/db';
import { failure } from '@/lib/http';

const eventSchema = z.object({ id: z.string(), type: z.string(), data: z.record(z.string(), z.unknown()) });

function matches(signature: string, body: Buffer) {
  const digest = createHmac('sha256', config.webhookSecret).update(body).digest('hex');
  const expected = Buffer.from(`sha256=${digest}`);
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export async function POST(request: Request) {
  const body = Buffer.from(await request.arrayBuffer());
  if (!matches(request.headers.get('x-signature') ?? '', body)) return failure(401, 'Invalid signature');
  const { id, type, data } = eventSchema.parse(JSON.parse(body.toString()));
  getDb()
    .prepare('INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)')
    .run(id, type, JSON.stringify(data));
  return NextResponse.json({ status: 'ok' });
}
