import { signIn } from '../actions';

export default function Login({ searchParams }: { searchParams: { error?: string; welcome?: string } }) {
  return (
    <main>
      <h1>Sign in</h1>
      {searchParams.error && <p role="alert">Wrong email or password.</p>}
      {searchParams.welcome && <p>Welcome! Please sign in.</p>}
      <form action={signIn}>
        <label>
          Email <input type="email" name="email" required />
        </label>
        <label>
          Password <input type="password" name="password" required />
        </label>
        <button>Sign in</button>
      </form>
    </main>
  );
}
