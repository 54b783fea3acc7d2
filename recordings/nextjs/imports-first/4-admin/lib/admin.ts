import { getCurrentUser, hashPassword } from './auth';
import { config } from './config';
import { getDb } from './db';
import { failure } from './http';

export async function seedAdmin() {
  if (!config.adminEmail || !config.adminPassword) return;
  getDb()
    .prepare("INSERT INTO users (email, password, role) VALUES (?, ?, 'admin') ON CONFLICT (email) DO NOTHING")
    .run(config.adminEmail, await hashPassword(config.adminPassword));
}

/** The answer for those who are no admin, nothing for those who are. */
export function refuseUnlessAdmin(request: Request) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  if (user.role !== 'admin') return failure(403, 'Admin access required');
}
