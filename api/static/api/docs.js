// Shows one of the descriptions: the one that the address names, or the first.
"use strict";
const services = JSON.parse(document.getElementById("services").textContent);
const asked = new URLSearchParams(location.search).get("service");
const shown = services.find((each) => each.type === asked) || services[0];
for (const link of document.querySelectorAll("nav a")) {
  if (link.dataset.type === shown.type) link.setAttribute("aria-current", "page");
}
document.title = `Roadstead: ${shown.name}`;
SwaggerUIBundle({
  url: shown.url,
  dom_id: "#description",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [SwaggerUIBundle.plugins.DownloadUrl],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
});
