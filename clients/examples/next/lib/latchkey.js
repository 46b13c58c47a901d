import { Latchkey } from "latchkey-client";

export const site = process.env.LATCHKEY_URL;
export const latchkey = new Latchkey(site, process.env.LATCHKEY_TOKEN);
