import { Refusal, route } from '@/lib/http';

export const dynamic = 'force-dynamic';

const nothing = route(() => {
  throw new Refusal(404, 'no such route');
});

export { nothing as GET, nothing as POST, nothing as PUT, nothing as PATCH, nothing as DELETE };
