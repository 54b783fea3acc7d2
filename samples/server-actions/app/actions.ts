'use server';

import { createHash } from 'node:crypto';
import { cookies } from 'next/headers';
import { redirect } from 'next/navigation';
import { getDb } from '@/lib/db';
import { currentUser, startSession } from '@/lib/session';

export type SignUpState = { error?: string };

const digest = (password: string) => createHash('sha256').update(password).digest('hex');

export async function signUp(_state: SignUpState, form: FormData): Promise<SignUpState> {
  const email = String(form.get('email') ?? '').trim();
  const name = String(form.get('name') ?? '').trim();
  const password = String(form.get('password') ?? '');
  if (!/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) return { error: 'Please give a valid email address.' };
  if (!name) return { error: 'Please give a name.' };
  if (!password) return { error: 'Please choose a password.' };
  if (password !== form.get('confirmPassword')) return { error: 'The passwords differ.' };
  try {
    getDb().prepare('INSERT INTO users (email, name, password) VALUES (?, ?, ?)').run([email, name, digest(password)]);
  } catch {
    return { error: 'This email is registered already.' };
  }
  redirect('/login?welcome=1');
}

export async function signIn(form: FormData) {
  const email = String(form.get('email') ?? '').trim();
  const user = getDb()
    .prepare('SELECT id FROM users WHERE email = ? AND password = ?')
    .get([email, digest(String(form.get('password') ?? ''))]) as { id: number } | undefined;
  if (!user) redirect('/login?error=1');
  startSession(user.id);
  redirect('/');
}

export async function signOut() {
  getDb().prepare('DELETE FROM sessions WHERE id = ?').run([cookies().get('logbook')?.value ?? '']);
  cookies().delete('logbook');
  redirect('/login');
}

export async function createNote(form: FormData) {
  const user = currentUser();
  if (!user) redirect('/login');
  const title = String(form.get('title') ?? '').slice(0, 200);
  const body = String(form.get('body') ?? '').slice(0, 20000);
  getDb().prepare('INSERT INTO notes (user_id, title, body) VALUES (?, ?, ?)').run([user.id, title, body]);
  redirect('/');
}
