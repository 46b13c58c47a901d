// A route handler of the App Router: the course for those who have it.
import { latchkey, site } from "../../lib/latchkey.js";
import { signedInEmail } from "../../lib/sign-in.js";

export const dynamic = "force-dynamic";

const course = process.env.COURSE ?? "course";

export async function GET() {
  const email = await signedInEmail();
  if (!email) return Response.json({ error: "sign in first" }, { status: 401 });
  if (!(await latchkey.hasAccess(course, { email }))) {
    return Response.redirect(`${site}/buy/${course}`, 303);
  }
  return Response.json({ lesson: `Welcome, ${email}` });
}
