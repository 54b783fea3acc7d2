import { getDb } from './db';
import type { User } from './auth';

export type StoredFile = { id: number; filename: string; kind: string; size: number; stored: string };

export function getOwnFile(id: string, user: User) {
  const select = getDb().prepare('SELECT * FROM files WHERE id = ? AND owner = ?');
  return select.get(id, user.id) as StoredFile | undefined;
}
