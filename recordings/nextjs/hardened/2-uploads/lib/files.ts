import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { all, one, run } from './db';
import { kindOf } from './filetypes';
import { Refusal } from './http';
import { settings } from './settings';

export const LARGEST = 5 * 1024 * 1024;
const LONGEST_NAME = 255;

export type FileEntry = { id: number; filename: string; size: number };
export type StoredFile = FileEntry & { kind: string; stored: string };

const pathOf = (stored: string) => join(settings().uploadDir, stored);

/** The client's name as data: no folders, nothing that a terminal or header could take as its own. */
export function cleanName(name: string): string {
  const last = name.replaceAll('\\', '/').split('/').pop() ?? '';
  const plain = last
    .replace(/[\p{C}\p{Zl}\p{Zp}"<>|:*?]/gu, '')
    .replace(/^[ .]+|[ .]+$/g, '');
  return [...plain].slice(-LONGEST_NAME).join('');
}

export async function store(owner: number, filename: string, content: Buffer): Promise<FileEntry> {
  if (content.length > LARGEST) throw new Refusal(413, 'the file is larger than 5 MB');
  const kind = kindOf(filename, content);
  if (!kind) throw new Refusal(415, 'we take PNG, JPEG, PDF and plain-text files');
  await mkdir(settings().uploadDir, { recursive: true });
  const stored = randomBytes(16).toString('hex');
  await writeFile(pathOf(stored), content, { flag: 'wx', mode: 0o600 });
  try {
    const sql = 'INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)';
    const { id } = run(sql, owner, filename, kind, content.length, stored);
    return { id, filename, size: content.length };
  } catch (error) {
    await removeStored([stored]);
    throw error;
  }
}

export function list(owner: number): FileEntry[] {
  return all<FileEntry>('SELECT id, filename, size FROM files WHERE owner = ? ORDER BY id', owner);
}

export function ownFile(id: number, owner: number): StoredFile {
  const file = one<StoredFile>('SELECT * FROM files WHERE id = ? AND owner = ?', id, owner);
  if (!file) throw new Refusal(404, 'no such file');
  return file;
}

export function read(file: StoredFile) {
  return readFile(pathOf(file.stored));
}

export async function remove(file: StoredFile, owner: number) {
  run('DELETE FROM files WHERE id = ? AND owner = ?', file.id, owner);
  await removeStored([file.stored]);
}

export async function removeStored(names: string[]) {
  for (const name of names) await rm(pathOf(name), { force: true });
}
