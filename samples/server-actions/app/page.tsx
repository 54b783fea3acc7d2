import Link from 'next/link';
import { getDb } from '@/lib/db';
import { currentUser } from '@/lib/session';
import { signOut } from './actions';

type Note = { id: number; title: string; body: string };

export default function Home() {
  const user = currentUser();
  if (!user) {
    return (
      <main>
        <h1>Logbook</h1>
        <p>
          <Link href="/login">Sign in</Link> or <Link href="/signup">sign up</Link>.
        </p>
      </main>
    );
  }
  const notes = getDb().prepare('SELECT id, title, body FROM notes WHERE user_id = ?').all([user.id]) as Note[];
  return (
    <main>
      <h1>{user.name}&apos;s logbook</h1>
      <form action={signOut}>
        <button>Sign out</button>
      </form>
      <Link href="/notes/new">New entry</Link>
      {notes.map((note) => (
        <article key={note.id}>
          <h2>{note.title}</h2>
          <p>{note.body}</p>
        </article>
      ))}
    </main>
  );
}
