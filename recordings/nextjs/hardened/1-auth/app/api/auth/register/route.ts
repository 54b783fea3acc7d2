import { Registration, issueToken } from '@/lib/auth';
import { isDuplicate, run } from '@/lib/db';
import { Refusal, readJson, route } from '@/lib/http';
import { registerLimit } from '@/lib/limits';
import { keep, problem } from '@/lib/passwords';

export const POST = route(async (request) => {
  registerLimit().check(request);
  const { email, password } = await readJson(request, Registration);
  const wrong = problem(password, email);
  if (wrong) throw new Refusal(422, wrong);
  const kept = await keep(password);
  try {
    const { id } = run('INSERT INTO users (email, password) VALUES (?, ?)', email, kept);
    return Response.json({ token: await issueToken(id) }, { status: 201 });
  } catch (error) {
    if (isDuplicate(error)) throw new Refusal(409, 'this email is registered');
    throw error;
  }
});
