'use client';

import { useFormState } from 'react-dom';
import { signUp } from '../actions';

export function SignUpForm() {
  const [state, action] = useFormState(signUp, {});
  return (
    <form action={action}>
      {state.error && <p role="alert">{state.error}</p>}
      <label>
        Email <input type="email" name="email" required />
      </label>
      <label>
        Name <input name="name" required />
      </label>
      <label>
        Password <input type="password" name="password" required />
      </label>
      <label>
        Password again <input type="password" name="confirmPassword" required />
      </label>
      <button>Sign up</button>
    </form>
  );
}
