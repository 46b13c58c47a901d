/** Who is signed in at this app: put your own here, such as `auth()` of Auth.js. */
export async function signedInEmail() {
  return undefined;
}
