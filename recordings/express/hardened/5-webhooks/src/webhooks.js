import { createHmac, timingSafeEqual } from 'node:crypto';
import express, { Router } from 'express';
import { z } from 'zod';
import { all, run } from './db.js';
import { text } from './input.js';
import { Refusal } from './refusal.js';
import { settings } from './settings.js';

const Event = z.object({ id: text(1, 200), type: text(1, 200), data: z.record(z.string(), z.unknown()) });

function signed(header, body) {
  const expected = Buffer.from(`sha256=${createHmac('sha256', settings.webhookSecret).update(body).digest('hex')}`);
  const sent = Buffer.from(header);
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}

function eventOf(body) {
  try {
    const { id, type, data } = Event.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
    return { id, type, data: JSON.stringify(data) };
  } catch {
    throw new Refusal(422, 'not an event');
  }
}

export function storedEvents() {
  return all('SELECT id, type, data FROM events ORDER BY rowid').map((row) => ({ ...row, data: JSON.parse(row.data) }));
}

export const webhooks = Router();

webhooks.post('/payments', express.raw({ type: () => true, limit: '256kb', inflate: false }), (req, res) => {
  const body = req.body ?? Buffer.alloc(0);
  if (!signed(req.headers['x-signature'] ?? '', body)) throw new Refusal(401, 'the signature does not match');
  const { id, type, data } = eventOf(body);
  run('INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)', id, type, data);
  res.json({ status: 'ok' });
});
