import { cookies } from "next/headers";

export default async function Page() {
  const session = (await cookies()).get("session");
  return <h1>{session ? `Hello, ${session.value}` : "Not logged in"}</h1>;
}
