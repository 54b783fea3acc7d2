import { z } from 'zod';
import { Refusal } from './refusal.js';

// JSON can spell half a character, which the database would change; libsql reads a text no further than a NUL.
const keepsWhole = (value) => value.isWellFormed() && !value.includes('\0');

export const text = (shortest, longest) => z.string().min(shortest).max(longest).refine(keepsWhole);

/** Names the fields that do not fit, without what was sent. */
export function fit(schema, content) {
  const result = schema.safeParse(content);
  if (!result.success) {
    const fields = new Set(result.error.issues.map((issue) => issue.path.join('.') || 'body'));
    throw new Refusal(422, `does not fit: ${[...fields].join(', ')}`);
  }
  return result.data;
}

export function idOf(req) {
  const id = /^[1-9]\d{0,15}$/.test(req.params.id) ? Number(req.params.id) : NaN;
  if (!Number.isSafeInteger(id)) throw new Refusal(404, 'no such id');
  return id;
}
