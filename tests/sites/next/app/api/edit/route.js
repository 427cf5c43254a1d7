import { revalidatePath } from "next/cache";

import { invalidate } from "../../invalidate";
import store from "../../store";

/** What a CMS calls after an edit. */
export async function POST(request) {
  const { slug, title } = await request.json();
  store.titles[slug] = title;
  revalidatePath(`/blog/${slug}`);
  revalidatePath("/feed.xml");
  await invalidate({ path: `/blog/${slug}` }, { path: "/feed.xml" });
  return Response.json({ slug, title });
}
