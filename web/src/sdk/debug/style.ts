// The overlay's looks. They apply inside of its shadow root only.

import { KIND_COLORS } from "./area.js";

export const STYLE = `
:host { all: initial; position: fixed; z-index: 2147483647; top: 8px; left: 8px; width: 400px; max-width: calc(100vw - 16px); pointer-events: none; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.panel { display: flex; flex-direction: column; max-height: calc(100vh - 16px); color: #ccd4df; background: #12161ce6; border: 1px solid #38424f; border-radius: 6px;
  font: 11px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-variant-numeric: tabular-nums; overflow: hidden; }
header { display: flex; gap: 8px; align-items: baseline; padding: 5px 8px 2px; color: #8d98a8; }
header b { color: #ccd4df; }
header span { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
button, input, .tabs, .pane, span[title] { pointer-events: auto; }
button { all: unset; pointer-events: auto; cursor: pointer; padding: 1px 7px; border: 1px solid #38424f; border-radius: 4px; color: #ccd4df; }
button:hover { background: #ffffff14; }
button:focus-visible, input:focus-visible { outline: 1px solid #7fa8cc; }
.graph { display: grid; grid-template-columns: 108px 1fr 84px; grid-auto-rows: 22px; align-items: center; padding: 0 8px; }
.graph span { grid-column: 1; color: #8d98a8; }
.graph output { grid-column: 3; text-align: right; }
.graph canvas { grid-column: 2; width: 100%; height: 100%; }
.bad { color: #e39a94; }
.line { display: grid; grid-template-columns: 108px 1fr 84px; gap: 3px 0; align-items: center; margin: 4px 0 0; padding: 5px 8px; border-top: 1px solid #2a323d; }
.line span { color: #8d98a8; }
.line output { text-align: right; }
.line input { width: 100%; margin: 0; height: 14px; accent-color: #7fa8cc; }
.line .stalls { display: flex; gap: 4px; }
.tabs { display: flex; gap: 2px; padding: 0 6px; border-top: 1px solid #2a323d; border-bottom: 1px solid #2a323d; }
.tabs button { border: 0; border-radius: 0; padding: 4px 7px; color: #8d98a8; }
.tabs button[aria-selected="true"] { color: #ccd4df; box-shadow: inset 0 -2px #7fa8cc; }
.pane { min-height: 60px; overflow: auto; padding: 4px 8px 8px; overscroll-behavior: contain; }
.pane[hidden] { display: none; }
.area canvas { display: block; }
p { margin: 4px 0 0; color: #8d98a8; }
/* Pages in quirks mode give tables looks of their own. */
table { border-collapse: collapse; width: 100%; color: inherit; font: inherit; }
td { padding: 1px 8px 1px 0; vertical-align: top; }
td:last-child { padding-right: 0; }
.head td { color: #8d98a8; border-bottom: 1px solid #2a323d; white-space: nowrap; }
.picks tr:not(.head) { cursor: pointer; }
.picks tr:not(.head):hover, .picked { background: #ffffff14; }
.rows table + table { margin-top: 8px; }
.kind { white-space: nowrap; }
.kind::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 5px; border-radius: 50%; }
${KIND_COLORS.map((color, number) => `.kind${number}::before { background: ${color}; }`).join("\n")}
.number { text-align: right; white-space: nowrap; }
.dim { color: #8d98a8; }
.private { font-style: italic; }
.own td { color: #ffffff; background: #7fa8cc1f; }
.correction td { padding-top: 6px; color: #e0c08f; }
`;
