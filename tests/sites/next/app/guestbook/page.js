import { revalidatePath } from "next/cache";

import { invalidate } from "../invalidate";
import store from "../store";

export const revalidate = 3600;

async function sign(form) {
  "use server";
  store.entries.push(String(form.get("name")));
  revalidatePath("/guestbook");
  await invalidate({ path: "/guestbook" });
}

export default function Page() {
  return (
    <main>
      <form action={sign}>
        <input name="name" />
        <button>Sign</button>
      </form>
      <ul>
        {store.entries.map((name, n) => (
          <li key={n}>{name}</li>
        ))}
      </ul>
    </main>
  );
}
