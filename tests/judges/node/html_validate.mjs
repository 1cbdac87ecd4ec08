// {config, pages: [{name, html}]} -> [{name, rule, message, line}]
import { json } from "node:stream/consumers";
import { FileSystemConfigLoader, HtmlValidate } from "html-validate";

const { config, pages } = await json(process.stdin);
const judge = new HtmlValidate(new FileSystemConfigLoader([], { root: true, ...config }));

const found = [];
for (const { name, html } of pages) {
  const report = await judge.validateString(html);
  for (const { messages } of report.results) {
    for (const { ruleId, message, line } of messages) found.push({ name, rule: ruleId, message, line });
  }
}
console.log(JSON.stringify(found));
