import { Credentials, issueToken } from '@/lib/auth';
import { one } from '@/lib/db';
import { Refusal, readJson, route } from '@/lib/http';
import { loginLimit } from '@/lib/limits';
import { matches } from '@/lib/passwords';

export const POST = route(async (request) => {
  loginLimit().check(request);
  const { email, password } = await readJson(request, Credentials);
  const user = one<{ id: number; password: string }>('SELECT id, password FROM users WHERE email = ?', email);
  const right = await matches(password, user?.password);
  if (!user || !right) throw new Refusal(401, 'wrong email or password');
  return Response.json({ token: await issueToken(user.id) });
});
