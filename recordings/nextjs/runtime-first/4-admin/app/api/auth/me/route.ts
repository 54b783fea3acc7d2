import { signInFirst, signedIn } from '@/lib/auth';

export async function GET(request: Request) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  return Response.json({ id: user.id, email: user.email, role: user.role });
}
