import { SignUpForm } from './form';

export default function SignUp() {
  return (
    <main>
      <h1>Sign up</h1>
      <SignUpForm />
    </main>
  );
}
