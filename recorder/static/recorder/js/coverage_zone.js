/* The report is by local day: without a zone in the address the browser's is taken. */
const page = document.getElementById("coverage-page");
if (page?.hasAttribute("data-guess-zone")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone !== page.dataset.zone) {
    const address = new URL(location.href);
    address.searchParams.set("tz", zone);
    location.replace(address);
  }
}
