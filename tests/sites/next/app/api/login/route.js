import { cookies } from "next/headers";
import { redirect } from "next/navigation";

export async function POST(request) {
  const name = String((await request.formData()).get("name"));
  (await cookies()).set("session", name, { httpOnly: true, sameSite: "lax" });
  redirect("/account");
}
