import { redirect } from 'next/navigation';
import { currentUser } from '@/lib/session';
import { createNote } from '../../actions';

export default function NewNote() {
  if (!currentUser()) redirect('/login');
  return (
    <main>
      <h1>New entry</h1>
      <form action={createNote}>
        <label>
          Title <input name="title" required />
        </label>
        <label>
          Text <textarea name="body" required />
        </label>
        <button>Save</button>
      </form>
    </main>
  );
}
