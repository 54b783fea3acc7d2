export default function Home() {
  return (
    <main>
      <h1>Minutes</h1>
      <p>Notes of meetings, over a JSON interface.</p>
    </main>
  );
}
