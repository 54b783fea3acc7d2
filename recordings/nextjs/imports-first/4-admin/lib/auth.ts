import bcrypt from 'bcryptjs';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import { config } from './config';
import { getDb } from './db';

export const credentials = z.object({ email: z.string(), password: z.string() });

export type User = { id: number; email: string; password: string; role: 'user' | 'admin' };

export function hashPassword(password: string) {
  return bcrypt.hash(password, 12);
}

export function verifyPassword(password: string, hash: string) {
  return bcrypt.compare(password, hash);
}

export function createToken(userId: number | bigint) {
  return jwt.sign({ sub: String(userId) }, config.jwtSecret, { algorithm: 'HS256', expiresIn: '24h' });
}

function verifyToken(token: string) {
  const secret = config.jwtSecret;
  try {
    return jwt.verify(token, secret, { algorithms: ['HS256'] });
  } catch {
    return null;
  }
}

export function getCurrentUser(request: Request): User | null {
  const header = request.headers.get('authorization') ?? '';
  const payload = header.startsWith('Bearer ') ? verifyToken(header.slice(7)) : null;
  if (!payload) return null;
  return (getDb().prepare('SELECT * FROM users WHERE id = ?').get(payload.sub) as User | undefined) ?? null;
}
