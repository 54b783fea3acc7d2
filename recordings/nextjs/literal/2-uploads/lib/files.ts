import path from 'path';
import type { User } from './auth';
import { getDb } from './db';

export type FileRow = { id: number; user_id: number; filename: string; content_type: string; size: number };

// A folder for each file, because two files may have the same name.
export function fileFolder(id: number | bigint) {
  return path.join(process.env.UPLOAD_DIR || 'uploads', String(id));
}

export function getFile(id: string, user: User) {
  return getDb().prepare('SELECT * FROM files WHERE id = ? AND user_id = ?').get(id, user.id) as FileRow | undefined;
}

export function notFound() {
  return Response.json({ error: 'File not found' }, { status: 404 });
}
