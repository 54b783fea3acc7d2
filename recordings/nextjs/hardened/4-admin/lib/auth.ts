import { SignJWT, jwtVerify } from 'jose';
import { z } from 'zod';
import { one } from './db';
import { Refusal } from './http';
import { settings } from './settings';

const EMAIL = /^[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,63}$/;

export const Registration = z.object({
  email: z.string().max(254).trim().toLowerCase().regex(EMAIL),
  password: z.string().max(200),
});

export const Credentials = z.object({
  email: z.string().max(254).trim().toLowerCase(),
  password: z.string().max(200),
});

export type Role = 'user' | 'admin';
export type User = { id: number; email: string; role: Role };

const key = () => new TextEncoder().encode(settings().jwtSecret);

export function issueToken(userId: number): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(String(userId))
    .setIssuedAt()
    .setExpirationTime(`${settings().tokenHours}h`)
    .sign(key());
}

async function subject(token: string): Promise<string | undefined> {
  try {
    const { payload } = await jwtVerify(token, key(), { algorithms: ['HS256'], requiredClaims: ['sub', 'exp'] });
    return payload.sub;
  } catch {
    return undefined;
  }
}

export async function currentUser(request: Request): Promise<User> {
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  const id = Number(token && (await subject(token)));
  const user = Number.isSafeInteger(id) ? one<User>('SELECT id, email, role FROM users WHERE id = ?', id) : undefined;
  if (!user) throw new Refusal(401, 'not signed in', { 'WWW-Authenticate': 'Bearer' });
  return user;
}
