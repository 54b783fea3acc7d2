/** @type {import('next').NextConfig} */
const nextConfig = {
  poweredByHeader: false,
  productionBrowserSourceMaps: false,
  // No image is shown, so nothing needs the optimizer's route.
  images: { unoptimized: true },
  experimental: { instrumentationHook: true },
};

export default nextConfig;
