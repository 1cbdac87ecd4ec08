// {mails: [{name, html}], clients} -> [{name, feature, client}]: what a mail program does not support.
import { json } from "node:stream/consumers";
import { caniemail, rawData } from "caniemail";

const { mails, clients } = await json(process.stdin);

// A program that nobody has tried with a feature ends the check, so give it an answer. Thunderbird on
// Windows is hardly ever tried; it is the same engine as on macOS.
for (const { stats } of rawData.data) {
  const thunderbird = (stats.thunderbird ??= {});
  thunderbird.windows ??= thunderbird.macos;
  for (const client of clients) {
    const [family, platform] = client.split(".");
    (stats[family] ??= {})[platform] ??= { unknown: "u" };
  }
}

const found = [];
for (const { name, html } of mails) {
  for (const [client, issues] of caniemail({ clients, html }).issues.errors) {
    const features = new Set([issues].flat().map((issue) => issue.title));
    for (const feature of features) found.push({ name, feature, client });
  }
}
console.log(JSON.stringify(found));
