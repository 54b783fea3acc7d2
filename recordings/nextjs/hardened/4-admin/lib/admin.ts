import { z } from 'zod';
import { currentUser, type Role, type User } from './auth';
import { all, database, isDuplicate, one, run } from './db';
import { removeStored } from './files';
import { Refusal } from './http';
import { keep } from './passwords';
import { settings } from './settings';

type Account = { id: number; email: string; role: Role };

export const NewRole = z.object({ role: z.enum(['user', 'admin']) });

/** The role comes from the database at each request, never from the token. */
export async function adminOnly(request: Request): Promise<User> {
  const user = await currentUser(request);
  if (user.role !== 'admin') throw new Refusal(403, 'for admins only');
  return user;
}

/** The account of the environment, unless it exists. */
export async function createAdmin() {
  const { adminEmail, adminPassword } = settings();
  if (!adminEmail || !adminPassword) return;
  if (one('SELECT 1 FROM users WHERE email = ?', adminEmail)) return;
  try {
    run("INSERT INTO users (email, password, role) VALUES (?, ?, 'admin')", adminEmail, await keep(adminPassword));
  } catch (error) {
    // Another process was first.
    if (!isDuplicate(error)) throw error;
  }
}

export function listUsers(): Account[] {
  return all<Account>('SELECT id, email, role FROM users ORDER BY id');
}

export function changeRole(id: number, role: Role): Account {
  if (run('UPDATE users SET role = ? WHERE id = ?', role, id).changes === 0) throw new Refusal(404, 'no such user');
  const { email } = one<Account>('SELECT email FROM users WHERE id = ?', id)!;
  return { id, email, role };
}

export async function deleteUser(id: number) {
  const work = database().transaction(() => {
    const files = all<{ stored: string }>('SELECT stored FROM files WHERE owner = ?', id);
    const { changes } = run('DELETE FROM users WHERE id = ?', id);
    return { stored: files.map((file) => file.stored), changes };
  });
  const { stored, changes } = work();
  if (changes === 0) throw new Refusal(404, 'no such user');
  await removeStored(stored);
}
