import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { all, run } from './db';
import { settings } from './settings';

export const Event = z.object({
  id: z.string().min(1).max(200),
  type: z.string().min(1).max(200),
  data: z.record(z.string(), z.unknown()),
});

type Event = z.output<typeof Event>;

export function signed(header: string | null, body: Buffer): boolean {
  const digest = createHmac('sha256', settings().webhookSecret).update(body).digest('hex');
  const expected = Buffer.from(`sha256=${digest}`);
  const given = Buffer.from(header ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export function store({ id, type, data }: Event) {
  const sql = 'INSERT INTO events (id, type, data) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING';
  run(sql, id, type, JSON.stringify(data));
}

export function list(): Event[] {
  const rows = all<{ id: string; type: string; data: string }>('SELECT id, type, data FROM events ORDER BY rowid');
  return rows.map(({ id, type, data }) => ({ id, type, data: JSON.parse(data) }));
}
