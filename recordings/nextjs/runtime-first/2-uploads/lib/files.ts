import { extname, join } from 'node:path';
import type { User } from './auth';
import { database } from './db';

const UPLOAD_DIR = process.env.UPLOAD_DIR ?? 'uploads';

export const KINDS: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.pdf': 'application/pdf',
  '.txt': 'text/plain',
};

export type StoredFile = { id: number; filename: string; kind: string; size: number; stored: string };

export const extensionOf = (name: string) => extname(name).toLowerCase();

export const uploadPath = (stored = '') => join(UPLOAD_DIR, stored);

export function own(id: string, user: User): StoredFile | undefined {
  const select = database().prepare('SELECT * FROM files WHERE id = ? AND owner = ?');
  return select.get(id, user.id) as StoredFile | undefined;
}
